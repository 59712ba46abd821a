# Numbers of other programs, against which test_reference.py compares ours. Run in this folder: Rscript reference.R
# Writes the inputs (schools.csv, visits.csv, scores.csv, errors.csv) and numbers.csv: every value with the call that
# made it. README.md says which versions, and what is not here.
suppressPackageStartupMessages({
  library(survey)
  library(clubSandwich)
  library(pROC)
  library(multcomp)
  library(sandwich)
})
options(digits = 15, width = 10000)

numbers <- list()
# What a loop varies, and calls that others are part of: filled in, so that numbers.csv shows the call as evaluated.
FILLED <- c("outcome", "by", "design", "each", "robust", "some", "sides", "pairs", "strata", "x", "n", "q", "w")
keep <- function(package, data, quantity, call) {
  call <- substitute(call)
  repeat {
    known <- Filter(function(v) !is.null(v) && !is.function(v), mget(FILLED, globalenv(), ifnotfound = list(NULL)))
    filled <- do.call(substitute, list(call, known))
    if (identical(filled, call)) break
    call <- filled
  }
  value <- as.numeric(eval(call, globalenv()))
  stopifnot(length(value) == 1L, is.finite(value))
  version <- if (package == "R") as.character(getRversion()) else as.character(packageVersion(package))
  numbers[[length(numbers) + 1L]] <<- data.frame(
    data, quantity, value = sprintf("%.12g", value), package = paste(package, version),
    call = gsub("\\s+", " ", paste(deparse(call, width.cutoff = 500L), collapse = " "))
  )
}
save <- function(table, file) write.csv(table, file, row.names = FALSE, quote = FALSE)

## ---- clusters: rows drawn here ------------------------------------------------------------------
set.seed(1)
drawn <- function(design, sizes, group, spanning = FALSE) {
  # One row a sample: `sizes` of the clusters, `group` of each cluster ("a", "b"), or of each row where spanning.
  cluster <- rep(seq_along(sizes), sizes)
  of_row <- if (spanning) sample(c("a", "b"), length(cluster), TRUE, c(0.4, 0.6)) else group[cluster]
  effect <- rnorm(length(sizes))[cluster]
  value <- round(0.7 * effect + rnorm(length(cluster)) + 0.6 * (of_row == "b"), 3)
  event <- as.integer(rnorm(length(cluster)) + 0.8 * effect > 0.5 - 0.4 * (of_row == "b"))
  data.frame(design, group = of_row, cluster, value, event)
}
either <- function(n, m) rep(c("a", "b"), c(n, m))
visits <- rbind(
  drawn("single", rep(1, 95), either(40, 55)),
  drawn("equal", rep(4, 27), either(12, 15)),
  drawn("unequal", 1 + rgeom(52, 0.25), either(22, 30)),
  drawn("one_large", c(rep(2, 30), 30, rep(3, 25)), either(31, 25)),
  drawn("shared", 1 + rgeom(40, 0.2), NULL, spanning = TRUE),
  drawn("paired", rep(2, 30), NULL, spanning = TRUE)
)
# "paired": every cluster has one row in each group.
visits$group[visits$design == "paired"] <- rep(c("a", "b"), 30)
visits <- visits[order(visits$design, visits$group, visits$cluster), ]
save(visits, "visits.csv")

for (name in unique(visits$design)) {
  rows <- visits[visits$design == name, ]
  rows$one <- 1
  design <- quote(svydesign(~cluster, weights = ~one, data = rows))
  by <- quote(svyby(~outcome, ~group, design, svymean, covmat = TRUE))
  each <- quote(coef_test(lm(outcome ~ 0 + group, rows), vcov = "CR2", cluster = rows$cluster, test = "Satterthwaite"))
  robust <- quote(coef_test(lm(outcome ~ group, rows), vcov = "CR2", cluster = rows$cluster, test = "Satterthwaite"))
  for (of in c("value", "event")) {
    outcome <- as.name(of)
    keep("survey", name, paste(of, "se a"), SE(by)[1])
    keep("survey", name, paste(of, "se b"), SE(by)[2])
    keep("survey", name, paste(of, "se of the difference"), SE(svycontrast(by, c(a = -1, b = 1))))
    keep("survey", name, paste(of, "p"), svyttest(outcome ~ group, design)$p.value)
    keep("clubSandwich", name, paste(of, "CR2 se a"), each$SE[1])
    keep("clubSandwich", name, paste(of, "CR2 se b"), each$SE[2])
    keep("clubSandwich", name, paste(of, "CR2 freedom a"), each$df[1])
    keep("clubSandwich", name, paste(of, "CR2 freedom b"), each$df[2])
    keep("clubSandwich", name, paste(of, "CR2 se of the difference"), robust$SE[2])
    keep("clubSandwich", name, paste(of, "CR2 p"), robust$p[2])
  }
  for (some in c("a", "b")) {
    design <- quote(svydesign(~cluster, weights = ~one, data = rows[rows$group == some, ]))
    keep("survey", name, paste("event low", some),
         confint(svyciprop(~event, design, method = "beta", level = 0.9, df = degf(design)))[1])
    keep("survey", name, paste("event high", some),
         confint(svyciprop(~event, design, method = "beta", level = 0.9, df = degf(design)))[2])
  }
}

## ---- clusters that lie in several groups: schools of California, by district --------------------
# The schools' rows are not kept here, only sums by district and type of school: all that these methods see.
data(api)
schools <- list()
for (name in c("apiclus1", "apiclus2", "apisrs", "apistrat")) {
  rows <- get(name)
  rows$one <- 1
  rows$award <- as.integer(rows$awards == "Yes")
  sums <- aggregate(cbind(schools = one, score = api00, squares = api00^2, awards = award) ~ dnum + stype, rows, sum)
  schools[[name]] <- data.frame(data = name, district = sums$dnum, type = sums$stype, sums[-(1:2)])
  design <- quote(svydesign(~dnum, weights = ~one, data = rows))
  by <- quote(svyby(~outcome, ~stype, design, svymean, covmat = TRUE))
  for (of in c("api00", "award")) {
    outcome <- as.name(of)
    for (sides in list(c("E", "H"), c("E", "M"), c("H", "M"))) {
      what <- paste(of, paste(sides, collapse = "-"))
      w <- setNames(c(1, -1), sides)
      keep("survey", name, paste("difference", what), coef(svycontrast(by, w)))
      keep("survey", name, paste("se", what), SE(svycontrast(by, w)))
      keep("survey", name, paste("p", what), svyttest(outcome ~ stype, subset(design, stype %in% sides))$p.value)
    }
  }
}
save(do.call(rbind, schools), "schools.csv")

## ---- areas and mismatches -----------------------------------------------------------------------
set.seed(2)
scores <- rbind(
  data.frame(group = "a", label = rep(0:1, c(45, 30))),
  data.frame(group = "b", label = rep(0:1, c(60, 75)))
)
shared <- rnorm(nrow(scores))
scores$old <- round(shared + rnorm(nrow(scores)) + 1.1 * scores$label, 1)   # with ties
scores$new <- round(shared + rnorm(nrow(scores)) + (1.2 + 0.7 * (scores$group == "b")) * scores$label, 3)
scores$error <- round(abs(shared + 0.5 * rnorm(nrow(scores))) + 0.5 * (scores$group == "b"), 2)
scores$uncertainty <- round(0.6 * scores$error + abs(rnorm(nrow(scores))), 2)
save(scores, "scores.csv")
curve <- function(rows, of, label = "label", levels = c(0, 1)) {
  roc(rows[[label]], rows[[of]], levels = levels, direction = "<", quiet = TRUE)
}
a <- scores[scores$group == "a", ]
b <- scores[scores$group == "b", ]
for (some in list(quote(a), quote(b))) {
  for (outcome in c("old", "new")) {
    keep("pROC", "scores", paste("area", outcome, some), auc(curve(some, outcome)))
    keep("pROC", "scores", paste("variance", outcome, some), var(curve(some, outcome), method = "delong"))
  }
  keep("pROC", "scores", paste("covariance", some), cov(curve(some, "old"), curve(some, "new"), method = "delong"))
  keep("pROC", "scores", paste("paired z", some),
       roc.test(curve(some, "new"), curve(some, "old"), paired = TRUE, method = "delong")$statistic)
}
pairs <- quote(roc.test(curve(a, "new"), curve(b, "new"), paired = FALSE, method = "delong"))
keep("pROC", "scores", "unpaired t new", pairs$statistic)
sides <- c("a", "b")
keep("pROC", "scores", "error area", auc(curve(scores, "error", "group", sides)))
keep("pROC", "scores", "uncertainty area", auc(curve(scores, "uncertainty", "group", sides)))
keep("pROC", "scores", "mismatch z",
     roc.test(curve(scores, "error", "group", sides), curve(scores, "uncertainty", "group", sides),
              paired = TRUE, method = "delong")$statistic)

## ---- means: two groups, several groups, strata --------------------------------------------------
set.seed(3)
errors <- rbind(
  data.frame(design = "equal", group = rep(letters[1:4], each = 60), stratum = rep(c("x", "y", "z"), 80)),
  data.frame(design = "unequal", group = rep(letters[1:5], c(25, 40, 80, 160, 300)),
             stratum = sample(c("x", "y", "z"), 605, TRUE))
)
errors$value <- round(rnorm(nrow(errors), 0.12 * match(errors$group, letters), 1 + 0.3 * (errors$stratum == "z")), 4)
errors$event <- as.integer(runif(nrow(errors)) < 0.15 + 0.05 * match(errors$group, letters))
save(errors, "errors.csv")
for (name in unique(errors$design)) {
  rows <- errors[errors$design == name, ]
  of <- function(group) rows$value[rows$group == group]
  keep("R", name, "welch t", t.test(of("d"), of("a"))$statistic)
  keep("R", name, "welch freedom", t.test(of("d"), of("a"))$parameter)
  keep("R", name, "welch p", t.test(of("d"), of("a"))$p.value)
  keep("R", name, "welch p within 1", max(t.test(of("d"), of("a"), mu = 1, alternative = "less")$p.value,
                                           t.test(of("d"), of("a"), mu = -1, alternative = "greater")$p.value))
  keep("R", name, "welch low", t.test(of("d"), of("a"), conf.level = 0.9)$conf.int[1])
  keep("R", name, "welch high", t.test(of("d"), of("a"), conf.level = 0.9)$conf.int[2])
  fit <- lm(value ~ 0 + group, rows)
  # The groups' own variances, s^2 / n, as known: a studentised range without degrees of freedom.
  sizes <- table(rows$group)
  pairs <- quote(summary(glht(parm(coef(fit), vcovHC(fit, "HC2")), contrMat(sizes, "Tukey")),
                         test = adjusted("single-step", abseps = 1e-5))$test)
  keep("multcomp", name, "largest z", max(abs(pairs$tstat)))
  keep("multcomp", name, "max-t p", min(pairs$pvalues))
  keep("R", name, "studentised range p",
       ptukey(sqrt(2) * max(abs(pairs$tstat)), length(sizes), Inf, lower.tail = FALSE))
  pairs <- quote(summary(glht(parm(coef(fit), vcov(fit)), contrMat(sizes, "Tukey")),
                         test = adjusted("single-step", abseps = 1e-5))$test)
  keep("multcomp", name, "largest z, one variance", max(abs(pairs$tstat)))
  keep("multcomp", name, "max-t p, one variance", min(pairs$pvalues))
  # Direct standardisation of two groups over the strata.
  two <- rows[rows$group %in% c("a", "d"), ]
  two$cell <- interaction(two$group, two$stratum, drop = TRUE)
  share <- prop.table(table(two$stratum))
  cells <- levels(two$cell)
  contrast <- matrix(ifelse(substr(cells, 1, 1) == "d", 1, -1) * share[substr(cells, 3, 3)], 1)
  of_cells <- lm(value ~ 0 + cell, two)
  strata <- quote(glht(of_cells, contrast, vcov. = vcovHC(of_cells, "HC2")))
  keep("multcomp", name, "standardised difference", coef(strata))
  keep("multcomp", name, "standardised se", sqrt(vcov(strata)))
  keep("R", name, "Mantel-Haenszel chi-square",
       mantelhaen.test(table(two$group, two$event, two$stratum), correct = FALSE)$statistic)
}

## ---- rates --------------------------------------------------------------------------------------
rates <- list(c(3, 40, 11, 45), c(0, 30, 6, 28), c(120, 1500, 150, 1400), c(2, 12, 9, 14), c(700, 2000, 640, 2100))
for (counts in rates) {
  x <- counts[c(1, 3)]
  n <- counts[c(2, 4)]
  name <- paste(counts, collapse = " ")
  keep("R", name, "pooled chi-square", prop.test(x, n, correct = FALSE)$statistic)
  keep("R", name, "Wilson low", prop.test(x[2], n[2], correct = FALSE, conf.level = 0.9)$conf.int[1])
  keep("R", name, "Wilson high", prop.test(x[2], n[2], correct = FALSE, conf.level = 0.9)$conf.int[2])
  keep("R", name, "binomial p above 0.2", binom.test(x[2], n[2], 0.2, "greater")$p.value)
  keep("R", name, "binomial p below 0.2", binom.test(x[2], n[2], 0.2, "less")$p.value)
  keep("R", name, "Clopper-Pearson low", binom.test(x[2], n[2], conf.level = 0.9)$conf.int[1])
  keep("R", name, "Clopper-Pearson high", binom.test(x[2], n[2], conf.level = 0.9)$conf.int[2])
  keep("R", name, "Fisher p", fisher.test(cbind(x, n - x))$p.value)
}
# Right under both models, wrong under the new one only, under the old one only, under both.
for (x in list(c(150, 22, 8, 20), c(400, 40, 41, 19), c(60, 9, 2, 29))) {
  keep("R", paste(x, collapse = " "), "McNemar chi-square", mcnemar.test(matrix(x, 2), correct = FALSE)$statistic)
  keep("R", paste(x, collapse = " "), "McNemar exact p", binom.test(x[2], x[2] + x[3])$p.value)
}
q <- c(0.001, 0.04, 0.012, 0.012, 0.3, 0.00004, 0.049, 0.7)
for (n in seq_along(q)) {
  keep("R", "adjusted", paste("holm", n), p.adjust(q, "holm")[n])
  keep("R", "adjusted", paste("benjamini_hochberg", n), p.adjust(q, "BH")[n])
}

write.csv(do.call(rbind, numbers), "numbers.csv", row.names = FALSE)
