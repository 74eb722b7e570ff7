"""Parts that spaces are composed of: parameters that several of them share. No space is in here."""
