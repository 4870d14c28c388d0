"""How fast, as ratios to a limit measured in the same run: `make bench` prints what `bench/README.md` keeps."""
