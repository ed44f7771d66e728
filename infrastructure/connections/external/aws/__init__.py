"""What the managers of AWS's services share."""
