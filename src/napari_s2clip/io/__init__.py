"""Files in and out: images, results, pictures with a legend."""
