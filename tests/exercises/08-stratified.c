/* Exercise: a part that has the classes in the proportions of the whole. */
#include "random.h"

extern int stratified(int n, const int *label, int classes, double share, struct dl_random *r, int *part);

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct dl_random random_;
static void seed(void) { dl_random_seed(&random_, 1); }
TestSuite(stratified, .init = seed);

static int label[1000];
static int fill(void)
{
    for (int i = 0; i < 1000; i++)
        label[i] = i < 700 ? 0 : i < 970 ? 1 : i < 999 ? 2 : 4;     /* none of class 3, one of class 4 */
    return 1000;
}

Test(stratified, each_class_has_its_share_and_no_index_comes_twice)
{
    for (double share = 0; share <= 1; share += 0.125) {
        int part[1001], n = fill(), count[5] = {0}, seen[1000] = {0};
        int got = stratified(n, label, 5, share, &random_, part);
        for (int i = 0; i < got; i++) {
            cr_assert(part[i] >= 0 && part[i] < n && !seen[part[i]]);
            seen[part[i]] = 1;
            count[label[part[i]]]++;
        }
        static const int of[5] = {700, 270, 29, 0, 1};
        for (int c = 0; c < 5; c++)
            cr_assert(count[c] == (int)floor(share * of[c] + 0.5), "class %d: %d", c, count[c]);
    }
}

Test(stratified, parts_are_random)
{
    int a[1001], b[1001], n = fill();
    int got = stratified(n, label, 5, 0.5, &random_, a);
    stratified(n, label, 5, 0.5, &random_, b);
    cr_assert(got > 0 && memcmp(a, b, sizeof(int) * (size_t)got) != 0);
    int early = 0;                                      /* the first half of class 0 is not preferred */
    for (int i = 0; i < got; i++)
        early += a[i] < 350;
    cr_assert(early > 120 && early < 230, "%d", early);
}
