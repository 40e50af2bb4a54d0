"""What a running side says of itself: logs and the administration socket."""
