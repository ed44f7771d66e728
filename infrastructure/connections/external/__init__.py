"""Services outside: object stores, trackers, wikis and HTTP interfaces, one folder a kind."""
