"""The infrastructure around the service: provision it, plan that, and destroy it."""
