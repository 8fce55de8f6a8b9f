"""What programs may ask and do: each operation declared once, checked, carried out and documented from that."""
