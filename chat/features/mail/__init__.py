"""E-mail, both ways: the conversation goes on where the visitor reads their mail."""
