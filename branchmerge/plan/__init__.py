"""What a build would run and cost, before it runs."""
