"""Tables, charts and sheets made from stored figures."""
