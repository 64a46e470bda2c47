/* What the exercise on dual numbers gives. */
struct dual { double a, b; };
