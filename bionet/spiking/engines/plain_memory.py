"""Memory as printed source sees it: an address and a size, of elements of one type.

Numba's arrays know shape, strides and owner, all of which is written out at each access and taken away again by LLVM.
A loop has dozens of arrays and hundreds of accesses: without all that it is compiled in half of the time.
"""

from __future__ import annotations

import operator

from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_getattr, models, register_model
from numba.np.arrayobj import make_array, populate_array


class Memory(types.Type):
    """The type of memory that holds elements of a type; it has a ``size``, and elements from 0 on."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"Memory({dtype})")


@register_model(Memory)
class _Model(models.StructModel):
    def __init__(self, manager, of):
        super().__init__(manager, of, [("data", types.CPointer(of.dtype)), ("size", types.int64)])


def _wide(index):
    return types.int64 if index.signed else types.uint64


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, arguments, names):
        memory, index = arguments
        if isinstance(memory, Memory) and isinstance(index, types.Integer):
            return signature(memory.dtype, memory, _wide(index))
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, arguments, names):
        memory, index, _ = arguments
        if isinstance(memory, Memory) and isinstance(index, types.Integer):
            return signature(types.none, memory, _wide(index), memory.dtype)
        return None


@infer_getattr
class _Attributes(AttributeTemplate):
    key = Memory

    def resolve_size(self, memory):
        return types.int64


@lower_builtin(operator.getitem, Memory, types.Integer)
def _get_item(context, builder, signature, arguments):
    return context.unpack_value(builder, signature.return_type, _place(builder, *arguments))


@lower_builtin(operator.setitem, Memory, types.Integer, types.Any)
def _set_item(context, builder, signature, arguments):
    context.pack_value(builder, signature.args[2], arguments[2], _place(builder, *arguments[:2]))


@lower_getattr(Memory, "size")
def _size(context, builder, memory, value):
    return builder.extract_value(value, 1)


def _place(builder, memory, index):
    return builder.gep(builder.extract_value(memory, 0), [index])


def _packed(context, builder, of, data, size):
    made = cgutils.create_struct_proxy(of)(context, builder)
    made.data, made.size = builder.bitcast(data, made.data.type), size
    return made._getvalue()


@intrinsic
def memory(typing, address, size, dtype):
    """Return memory of ``size`` elements of a type that begins at an address."""
    result = Memory(dtype.dtype)

    def generate(context, builder, signature, arguments):
        data = builder.inttoptr(arguments[0], context.get_data_type(result.dtype).as_pointer())
        return _packed(context, builder, result, data, arguments[1])

    return result(types.int64, types.int64, dtype), generate


@intrinsic
def listed(typing, table, sizes, k, dtype):
    """Return the memory whose address and size are number ``k`` of two lists."""
    result = Memory(dtype.dtype)

    def generate(context, builder, signature, arguments):
        address, size = (builder.load(_place(builder, each, arguments[2])) for each in arguments[:2])
        data = builder.inttoptr(address, context.get_data_type(result.dtype).as_pointer())
        return _packed(context, builder, result, data, size)

    return result(table, sizes, types.int64, dtype), generate


@intrinsic
def span(typing, memory, begin, end):
    """Return the elements from ``begin`` to ``end``, as memory."""

    def generate(context, builder, signature, arguments):
        data = _place(builder, *arguments[:2])
        return _packed(context, builder, memory, data, builder.sub(arguments[2], arguments[1]))

    return memory(memory, types.uint64, types.uint64), generate


@intrinsic(prefer_literal=True)
def scratch(typing, size):
    """Return memory of ``size`` whole numbers, a constant, that lasts as long as the function at hand."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    result, n = Memory(types.uint64), size.literal_value

    def generate(context, builder, signature, arguments):
        data = cgutils.alloca_once(builder, context.get_data_type(result.dtype), n)
        return _packed(context, builder, result, data, context.get_constant(types.int64, n))

    return result(size), generate


@intrinsic
def whole(typing, memory):
    """Return memory as an array of Numba's."""
    result = types.Array(memory.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        data, size = (builder.extract_value(arguments[0], k) for k in range(2))
        return viewed(context, builder, result, data, size)

    return result(memory), generate


@intrinsic
def view(typing, address, size, dtype):
    """Return the array of ``size`` elements of a type that begins at an address."""
    result = types.Array(dtype.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        data = builder.inttoptr(arguments[0], context.get_data_type(result.dtype).as_pointer())
        return viewed(context, builder, result, data, arguments[1])

    return result(types.int64, types.int64, dtype), generate


def viewed(context, builder, result, data, size):
    """Return an array of Numba's that does not own its memory."""
    array = make_array(result)(context, builder)
    itemsize = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(result.dtype)))
    populate_array(
        array,
        data=builder.bitcast(data, array.data.type),
        shape=cgutils.pack_array(builder, [size]),
        strides=cgutils.pack_array(builder, [itemsize]),
        itemsize=itemsize,
        meminfo=None,
    )
    return array._getvalue()
