"""What is kept of pictures: shards of crops and renderings, and digests by which content is known again."""
