"""The commands of `bench`, by what they are for; `bench.cli` puts them together."""
