"""What frameworks and process pools do to logging, and the middleware for web applications."""
