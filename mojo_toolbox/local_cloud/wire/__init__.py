"""Requests and answers on the wire: read, checked, and worded as AWS words them."""
