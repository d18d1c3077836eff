"""What needs no execution, answered by moto in this process."""
