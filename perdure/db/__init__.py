"""Tables, repositories, sessions."""
