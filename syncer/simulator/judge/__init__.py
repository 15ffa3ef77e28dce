"""The judge: reads both servers as any user could and knows the documented rules, not the code that follows them."""
