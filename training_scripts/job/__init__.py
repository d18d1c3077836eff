"""The job around a training, whatever it trains: settings, folders, records, progress lines."""
