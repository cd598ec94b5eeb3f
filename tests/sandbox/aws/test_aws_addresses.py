"""The address pool: real loopback addresses, each held by one sandbox."""

import ipaddress

import pytest

from groundplan_sandbox.aws.addresses import AddressPool, NoAddressError

SMALL = ipaddress.IPv4Network("127.30.251.0/29")


def test_two_pools_never_hold_the_same_address() -> None:
    first, second = AddressPool(SMALL), AddressPool(SMALL)
    taken = [first.take(), second.take(), first.take(), second.take()]
    assert len(set(taken)) == 4
    first.release_all()
    second.release_all()


def test_a_released_address_comes_back_last() -> None:
    pool = AddressPool(SMALL)
    first = pool.take()
    pool.release(first)
    assert [pool.take() for _ in range(6)][-1] == first
    pool.release_all()


def test_an_empty_pool_says_so() -> None:
    pool = AddressPool(SMALL)
    for _ in range(6):
        pool.take()
    with pytest.raises(NoAddressError):
        pool.take()
    pool.release_all()
