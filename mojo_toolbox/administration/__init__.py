"""An administrator's request becomes a plan, built and checked before anything is sent."""
