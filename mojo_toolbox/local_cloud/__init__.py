"""The AWS services that the toolbox uses, on this machine: loopback only, one per user, really executed."""
