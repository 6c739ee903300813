"""What operator-demo costs, measured side by side with what it could cost: `./build.sh bench`."""
