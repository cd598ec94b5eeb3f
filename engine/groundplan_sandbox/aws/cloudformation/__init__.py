"""CloudFormation as AWS answers it: stacks that grow and shrink resource by resource, and roll back.

`order` reads a template's dependencies, `stacks` builds and takes down, `drift` looks at what was changed behind a
stack's back, `answers` adds the calls that moto lacks. How a resource is made from its properties is moto's.
"""
