"""How both HTTP servers, the API and ClickHouse's interface, hold connections: nothing a client sends is unbounded."""
