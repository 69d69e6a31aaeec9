"""What is on disk: log.db is the truth, views.db can be thrown away."""
