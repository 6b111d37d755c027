"""What the command line says about all measurements."""

from dataclasses import dataclass


@dataclass
class Options:
    """`rounds`: how often each system is measured. `is_smoke_test`: only that it runs matters."""

    rounds: int = 3
    peers: bool = False
    is_smoke_test: bool = False

    def amount(self, full: int, smoke: int) -> int:
        """Return how many of something are measured."""
        return smoke if self.is_smoke_test else full


options = Options()
