"""The dock widget; thin, one file a panel."""
