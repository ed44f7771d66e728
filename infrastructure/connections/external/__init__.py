"""Services outside: object stores, trackers, wikis and HTTP interfaces, one file a kind."""
