"""What waits on the field side until it may cross a conduit that has a delay."""
