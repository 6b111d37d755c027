"""What an attacker would do from outside, against both web servers."""
