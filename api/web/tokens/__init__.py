"""The pages of tokens: listed, made, revoked."""
