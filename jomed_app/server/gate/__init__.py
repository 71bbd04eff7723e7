"""Who is let in: accounts with a password, or people of Hugging Face."""
