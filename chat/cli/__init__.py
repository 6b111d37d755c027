"""What runs in a terminal: the chat client, the doctor, the process runner."""
