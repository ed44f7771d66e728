"""What is named by a string."""


class Item:
    name = "item"
