"""Files of what people marked by hand."""
