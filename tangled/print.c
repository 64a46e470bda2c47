/* print.c - tensors as text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "print.h"

enum { PRECISION = 8, LINE = 75, MANY = 1000, EDGE = 3 };

struct printer {
    FILE *f;
    const dl_tensor *t;
    bool shortened;             /* not all elements are shown */
    dl_real least, most;        /* of the |x|, finite and not 0 */
    bool scientific;
    int left, right;            /* characters before and behind the point */
    int exponent;               /* digits of the exponent */
    int odd;                    /* the longest of nan, inf, -inf shown */
    char line[256];             /* not yet written */
    int length, column;         /* of that line */
};

static dl_real read_back(const char *text)
{
    return sizeof(dl_real) == sizeof(float) ? (dl_real)strtof(text, NULL)
                                            : (dl_real)strtod(text, NULL);
}

static int exponent_of(const char *text)
{
    return atoi(strchr(text, 'e') + 1);
}

/* The next larger number, in size, with as many decimals. */
static void write_next(char next[40], const char text[40], int decimals)
{
    long double step = powl(10, exponent_of(text) - decimals);
    long double x = strtold(text, NULL);
    sprintf(next, "%.*Le", decimals, text[0] == '-' ? x - step : x + step);
}

/* The decimals of the shortest d.ddde+xx that is x, which is stored. */
static int shortest(dl_real x, char text[40])
{
    char next[40];
    for (int decimals = 0; ; decimals++) {
        sprintf(text, "%.*e", decimals, (double)x);
        if (read_back(text) == x || decimals == 16)
            return decimals;
        write_next(next, text, decimals);
        if (read_back(next) == x) {
            strcpy(text, next);
            return decimals;
        }
    }
}

static void write_number(char text[80], dl_real x, bool scientific)
{
    char tail[16];
    int decimals = shortest(x, text) - (scientific ? 0 : exponent_of(text));
    bool whole = decimals < 0, many = decimals > PRECISION;
    long double value = whole || many ? x : strtold(text, NULL);
    sprintf(text, scientific ? "%#.*Le" : "%#.*Lf",
            whole ? 0 : many ? PRECISION : decimals, value);
    char *end = text + strcspn(text, "e");
    strcpy(tail, end);
    while (end[-1] == '0')
        end--;
    strcpy(end, tail);
}

static bool hides(const struct printer *p, int axis, int i)
{
    int n = p->t->shape.dim[axis];
    return p->shortened && n > 2 * EDGE && i == EDGE;
}

static void visit(struct printer *p, int axis, size_t place,
                  void (*note)(struct printer *p, dl_real x))
{
    if (axis == p->t->shape.rank) {
        note(p, dl_data(p->t)[place]);
        return;
    }
    int n = p->t->shape.dim[axis];
    for (int i = 0; i < n; i++) {
        if (hides(p, axis, i))
            i = n - EDGE;
        visit(p, axis + 1, place * (size_t)n + (size_t)i, note);
    }
}

static void note_size(struct printer *p, dl_real x)
{
    dl_real size = x < 0 ? -x : x;
    if (!isfinite(x) || x == 0)
        return;
    p->least = p->most == 0 || size < p->least ? size : p->least;
    p->most = size > p->most ? size : p->most;
}

static void enlarge(int *most, int n)
{
    *most = n > *most ? n : *most;
}

static void note_width(struct printer *p, dl_real x)
{
    char text[80];
    if (!isfinite(x)) {
        enlarge(&p->odd, isinf(x) && x < 0 ? 4 : 3);
        return;
    }
    write_number(text, x, p->scientific);
    int point = (int)(strchr(text, '.') - text);
    int end = (int)strcspn(text, "e");
    enlarge(&p->left, point);
    enlarge(&p->right, end - point - 1);
    enlarge(&p->exponent, (int)strlen(text + end) - 2);
}

static void align(const struct printer *p, dl_real x, char word[160])
{
    char text[80];
    int behind = p->scientific ? p->right + p->exponent + 2 : p->right;
    if (!isfinite(x)) {
        const char *name = isnan(x) ? "nan" : x < 0 ? "-inf" : "inf";
        sprintf(word, "%*s", p->left + 1 + behind, name);
        return;
    }
    write_number(text, x, p->scientific);
    int point = (int)(strchr(text, '.') - text);
    if (p->scientific) {
        char *e = strchr(text, 'e');
        if (e - text - point - 1 < p->right) {
            sprintf(text, "%#.*e", p->right, (double)x);
            e = strchr(text, 'e');
        }
        sprintf(word, "%*s%.*s%c%0*d", p->left - point, "", (int)(e - text) + 1,
                text, e[1], p->exponent, abs(atoi(e + 1)));
    } else {
        sprintf(word, "%*s%-*s", p->left, "", behind + 1, text + point);
        memcpy(word + p->left - point, text, (size_t)point);
    }
}

static void flush_line(struct printer *p)
{
    fwrite(p->line, 1, (size_t)p->length, p->f);
    p->length = 0;
}

static void put_word(struct printer *p, const char *word)
{
    int indent = p->t->shape.rank, n = (int)strlen(word);
    bool blank = strcmp(word, " ") == 0;
    if (p->column + n > LINE - indent && !blank) {
        while (p->length > 0 && p->line[p->length - 1] == ' ')
            p->length--;
        flush_line(p);
        fprintf(p->f, "\n%*s", indent, "");
        p->column = indent;
    }
    memcpy(p->line + p->length, word, (size_t)n);
    p->length += n;
    p->column += n;
}

static void print_row(struct printer *p, size_t place)
{
    char word[160];
    int axis = p->t->shape.rank - 1, n = p->t->shape.dim[axis];
    p->column = axis + 1;
    for (int i = 0; i < n; i++) {
        if (i > 0)
            put_word(p, " ");
        if (hides(p, axis, i)) {
            put_word(p, "...");
            put_word(p, " ");
            i = n - EDGE;
        }
        align(p, dl_data(p->t)[place + (size_t)i], word);
        put_word(p, word);
    }
    flush_line(p);
}

static void new_lines(struct printer *p, int axis)
{
    for (int k = axis; k < p->t->shape.rank - 1; k++)
        fputc('\n', p->f);
    fprintf(p->f, "%*s", axis + 1, "");
}

static void print_rows(struct printer *p, int axis, size_t place)
{
    int n = p->t->shape.dim[axis];
    fputc('[', p->f);
    if (axis == p->t->shape.rank - 1)
        print_row(p, place * (size_t)n);
    else
        for (int i = 0; i < n; i++) {
            if (i > 0)
                new_lines(p, axis);
            if (hides(p, axis, i)) {
                fprintf(p->f, "...");
                new_lines(p, axis);
                i = n - EDGE;
            }
            print_rows(p, axis + 1, place * (size_t)n + (size_t)i);
        }
    fputc(']', p->f);
}

static void print_number(FILE *f, dl_real x)
{
    char text[40];
    double size = fabs((double)x);
    if (!isfinite(x)) {
        fprintf(f, "%s", isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    int decimals = shortest(x, text) - exponent_of(text);
    if (size == 0 || (size >= 1e-4 && size < 1e16))
        fprintf(f, "%.*f", decimals > 1 ? decimals : 1, strtod(text, NULL));
    else
        fprintf(f, "%s", text);
}

void dl_print(FILE *f, const dl_tensor *t)
{
    dl_check(f != NULL, "the file is NULL");
    dl_check_tensor(t);
    if (t->shape.rank == 0)
        print_number(f, *dl_data(t));
    else if (t->size == 0)
        fprintf(f, "[]");
    else
        {
            struct printer p = {.f = f, .t = t, .shortened = t->size > MANY};
            visit(&p, 0, 0, note_size);
            p.scientific = p.most > 0
                           && (p.most >= 1e8 || p.least < 1e-4
                               || p.most / p.least > 1000);
            visit(&p, 0, 0, note_width);
            int behind = p.scientific ? p.right + p.exponent + 2 : p.right;
            if (p.left < p.odd - behind - 1)
                p.left = p.odd - behind - 1;
            print_rows(&p, 0, 0);
        }
    fprintf(f, "\n");
}
