"""Telling people: what happened, once, by mail, chat or webhook."""
