"""EC2 as AWS answers it, where moto 5.2.5 does not: each method here is one correction, its reason beside it.

moto's own backend does the work; its subclasses refuse what AWS refuses ("Error codes for the Amazon EC2 API"), let
states take their time through `lifecycle`, and hand out addresses from `addresses`. They take moto's private parts in
hand, so moto is pinned. `region` puts them together and installs them.
"""
