"""An AI operator keeps a real distributed system alive, live on a stage."""
