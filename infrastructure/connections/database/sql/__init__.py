"""What the SQL databases share: engines, sessions, transactions, for tasks and for threads."""
