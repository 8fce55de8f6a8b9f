"""What coding agents ask and tell, over the Model Context Protocol."""
