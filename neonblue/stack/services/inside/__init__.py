"""What the stack does inside a running server: roles, users, topics. It needs the packages of clients."""
