"""The live stream of an org's log. One reader feeds all open streams of an instance."""
