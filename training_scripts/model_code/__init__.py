"""Code that training and serving must share: base models, chats as tokens, the encoder network."""
