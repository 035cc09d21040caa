"""What generated files compute with: products, and functions of one number, with the C library's or without."""

from collections.abc import Collection, Mapping

MULTIPLY = """\
/* y = W x + start, or W x where start is NULL: W of so many rows and columns, row by row. y may be start. */
static void multiply(const float *weights, int rows, int columns, const float *x, const float *start, float *y)
{
    for (int r = 0; r < rows; ++r) {
        const float *row = weights + (size_t)r * (size_t)columns;
        float parts[8] = {0};
        float sum = start != NULL ? start[r] : 0.0f;
        int c = 0;
        for (; c + 8 <= columns; c += 8) {
            for (int k = 0; k < 8; ++k) parts[k] += row[c + k] * x[c + k];
        }
        for (; c < columns; ++c) sum += row[c] * x[c];
        for (int k = 0; k < 8; ++k) sum += parts[k];
        y[r] = sum;
    }
}"""

MULTIPLY_INT8 = """\
/* y = W x + start, or W x where start is NULL: W of so many rows and columns, row by row, each with a scale of its own.
   y may be start. */
static void multiply(const int8_t *weights, const float *scales, int rows, int columns, const float *x,
                     const float *start, float *y)
{
    for (int r = 0; r < rows; ++r) {
        const int8_t *row = weights + (size_t)r * (size_t)columns;
        float parts[8] = {0};
        float sum = 0.0f;
        int c = 0;
        for (; c + 8 <= columns; c += 8) {
            for (int k = 0; k < 8; ++k) parts[k] += (float)row[c + k] * x[c + k];
        }
        for (; c < columns; ++c) sum += (float)row[c] * x[c];
        for (int k = 0; k < 8; ++k) sum += parts[k];
        y[r] = scales[r] * sum + (start != NULL ? start[r] : 0.0f);
    }
}"""

ROW_OF = """\
/* A row of a matrix with so many columns, such as a token's vector. */
static void row_of(const float *weights, int row, int columns, float *x)
{
    for (int c = 0; c < columns; ++c) x[c] = weights[(size_t)row * (size_t)columns + (size_t)c];
}"""

ROW_OF_INT8 = """\
/* A row of a matrix with so many columns, such as a token's vector. */
static void row_of(const int8_t *weights, const float *scales, int row, int columns, float *x)
{
    for (int c = 0; c < columns; ++c) {
        x[c] = scales[row] * (float)weights[(size_t)row * (size_t)columns + (size_t)c];
    }
}"""

#: Of every function that the C library has, its line with the library, and without: text, and what that calls.
_LIBRARY: Mapping[str, tuple[str, str]] = {
    "exponential": (
        "static float exponential(float x) { return expf(x); }",
        """\
static float exponential(float x)
{
    /* e^x = 2^n e^r with r within half a logarithm of 2: a polynomial for e^r, n into the exponent's bits */
    union { float number; int32_t bits; } power;
    const float bounded = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
    const float shifted = bounded * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
    const float p = ((((1.9875691e-4f * r + 1.3981999e-3f) * r + 8.3334519e-3f) * r + 4.1665796e-2f) * r
                     + 1.6666665e-1f) * r + 5.0000001e-1f;
    power.bits = ((int32_t)n + 127) * 8388608;
    return (p * r * r + r + 1.0f) * power.number;
}""",
    ),
    "hyperbolic_tangent": (
        "static float hyperbolic_tangent(float x) { return tanhf(x); }",
        """\
static float hyperbolic_tangent(float x)
{
    const float e = exponential(x < 0.0f ? 2.0f * x : -2.0f * x);
    const float size = (1.0f - e) / (1.0f + e);
    return x < 0.0f ? -size : size;
}""",
    ),
    "square_root": (
        "static float square_root(float x) { return sqrtf(x); }",
        """\
static float square_root(float x)
{
    /* half the exponent, then Newton's method */
    union { float number; int32_t bits; } root;
    if (x <= 0.0f) return 0.0f;
    root.number = x;
    root.bits = (root.bits + 1065353216) / 2;
    for (int k = 0; k < 4; ++k) root.number = 0.5f * (root.number + x / root.number);
    return root.number;
}""",
    ),
    "logarithm": (
        "static float logarithm(float x) { return logf(x); }",
        """\
static float logarithm(float x)
{
    /* x = 2^n m with m from 2/3 to 4/3; the logarithm of m by that of (1 + s) / (1 - s) */
    union { float number; int32_t bits; } mantissa;
    float n, s, q;
    mantissa.number = x < 1.17549435e-38f ? 1.17549435e-38f : x;
    n = (float)((mantissa.bits - 0x3f2aaaab) >> 23);
    mantissa.bits -= (int32_t)n * 8388608;
    s = (mantissa.number - 1.0f) / (mantissa.number + 1.0f);
    q = s * s;
    q = 0.333333333f + q * (0.2f + q * (0.142857143f + q * 0.111111111f));
    return n * 0.693147181f + 2.0f * s * (1.0f + s * s * q);
}""",
    ),
    "exponential_less_one": (
        "static float exponential_less_one(float x) { return expm1f(x); }",
        """\
static float exponential_less_one(float x)
{
    if (x > -0.35f && x < 0.35f) { /* Taylor's series */
        return x * (1.0f + x * (0.5f + x * (1.66666667e-1f + x * (4.16666667e-2f
               + x * (8.33333333e-3f + x * (1.38888889e-3f + x * 1.98412698e-4f))))));
    }
    return exponential(x) - 1.0f;
}""",
    ),
    "logarithm_of_one_more": (
        "static float logarithm_of_one_more(float x) { return log1pf(x); }",
        """\
static float logarithm_of_one_more(float x)
{
    const float s = x / (2.0f + x), q = s * s;
    if (x > -0.3f && x < 0.4f) { /* that of (1 + s) / (1 - s) */
        return 2.0f * s * (1.0f + q * (0.333333333f + q * (0.2f + q * (0.142857143f + q * 0.111111111f))));
    }
    return logarithm(1.0f + x);
}""",
    ),
    "sine": ("static float sine(float x) { return sinf(x); }", ""),
    "cosine": ("static float cosine(float x) { return cosf(x); }", ""),
    "error_function": ("static float error_function(float x) { return erff(x); }", ""),
    "power": ("static float power(float x, float y) { return powf(x, y); }", ""),
}

_LIBRARY = {
    **_LIBRARY,
    "root_double": (
        "static double root_double(double x) { return sqrt(x); }",
        """\
static double root_double(double x)
{
    double root = x > 1.0 ? x : 1.0;
    if (x <= 0.0) return 0.0;
    for (int k = 0; k < 600; ++k) { /* Newton's method */
        const double next = 0.5 * (root + x / root);
        if (next >= root) break;
        root = next;
    }
    return root;
}""",
    ),
    "exponential_double": (
        "static double exponential_double(double x) { return exp(x); }",
        """\
static double exponential_double(double x)
{
    /* the series of a 1024th, squared ten times */
    const double r = x / 1024.0;
    double term = 1.0, sum = 0.0;
    for (int n = 1; n < 16; ++n) sum += term *= r / n;
    for (int n = 0; n < 10; ++n) sum = sum * (sum + 2.0); /* e^r - 1, which loses nothing by being small */
    return sum + 1.0;
}""",
    ),
    "logarithm_double": (
        "static double logarithm_double(double x) { return log(x); }",
        """\
static double logarithm_double(double x)
{
    double s, term, sum;
    int twos = 0;
    for (; x > 1.4142135623730951; x *= 0.5) ++twos;
    for (; x < 0.7071067811865476; x *= 2.0) --twos;
    s = (x - 1.0) / (x + 1.0);
    sum = term = s;
    for (int n = 3; n < 40; n += 2) {
        term *= s * s;
        sum += term / n;
    }
    return 2.0 * sum + twos * 0.69314718055994531;
}""",
    ),
}

#: Of what is computed from these.
_OTHERS: Mapping[str, str] = {
    "sigmoid": "static float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }",
    "reciprocal_root": "static float reciprocal_root(float x) { return 1.0f / square_root(x); }",
    "softplus": """\
static float softplus(float x)
{
    return (x > 0.0f ? x : 0.0f) + logarithm_of_one_more(exponential(x > 0.0f ? -x : x));
}""",
    "absolute": "static float absolute(float x) { return x < 0.0f ? -x : x; }",
    "sign": "static float sign(float x) { return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : 0.0f); }",
    "smaller": "static float smaller(float x, float y) { return x < y ? x : y; }",
    "larger": "static float larger(float x, float y) { return x > y ? x : y; }",
    "softmax": """\
/* Scores as probabilities, in place. */
static void softmax(float *scores, int count)
{
    float largest = scores[0], sum = 0.0f;
    for (int k = 1; k < count; ++k) largest = scores[k] > largest ? scores[k] : largest;
    for (int k = 0; k < count; ++k) sum += scores[k] = exponential(scores[k] - largest);
    for (int k = 0; k < count; ++k) scores[k] /= sum;
}""",
}
_CALLS: Mapping[str, tuple[str, ...]] = {
    "sigmoid": ("exponential",),
    "hyperbolic_tangent": ("exponential",),
    "reciprocal_root": ("square_root",),
    "softplus": ("logarithm_of_one_more", "exponential"),
    "exponential_less_one": ("exponential",),
    "logarithm_of_one_more": ("logarithm",),
    "softmax": ("exponential",),
}


def mathematics(functions: Collection[str]) -> str:
    """The functions of these names, and what they call."""
    needed: set[str] = set()
    waiting = list(functions)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            # the library's own functions call nothing, but both forms are to compile without what is unused
            waiting.extend(_CALLS.get(name, ()) if name in _OTHERS else ())
    library = [name for name in _LIBRARY if name in needed]
    others = [_OTHERS[name] for name in _OTHERS if name in needed]
    if not library:
        return "\n".join(others)
    own = _own(library)
    without = [_LIBRARY[name][1] for name in own]
    missing = [name for name in library if not _LIBRARY[name][1]]
    if missing:
        without = [f'#error "{", ".join(missing)}: only the C library has it; compile without @@_NO_LIBM"']
    return "\n".join([
        "#ifdef @@_NO_LIBM",
        "/* Without the C library's functions: right to about one part in ten million. */",
        *without,
        "#else",
        "#include <math.h>",
        *(_LIBRARY[name][0] for name in library),
        "#endif",
        *others,
    ])  # fmt: skip


def _own(library: Collection[str]) -> list[str]:
    needed = set(library)
    waiting = list(library)
    while waiting:
        for name in _CALLS.get(waiting.pop(), ()):
            if name not in needed:
                needed.add(name)
                waiting.append(name)
    return [name for name in _LIBRARY if name in needed]
