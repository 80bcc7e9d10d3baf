"""What everything stands on: errors, params, files, rows, commands, SQL."""
