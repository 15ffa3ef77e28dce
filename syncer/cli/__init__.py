"""The command line, one module per noun: thin, for what is decided and written lies below."""
