"""What is read, in which order, and what is kept between runs."""
