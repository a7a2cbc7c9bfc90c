# Databricks notebook source
# MAGIC %md
# MAGIC # 4 Read the rejects
# MAGIC
# MAGIC Runs on a classic single-user ML cluster that has the wheel (`databricks bundle deploy` puts it there; docs/databricks.md).
# MAGIC Every question that did not reach the release is in `rejects` once, with the step that closed it, the reason, and what was found.

# COMMAND ----------

dbutils.widgets.text("lake_root", "", "Lake: cloud URI of an external location")
dbutils.widgets.text("reason", "", "Reason to read; empty: the commonest")

# COMMAND ----------

from conf.lake import Lake
from conf.loading import load
from medreason_ray.review.funnel import arms_sections, check_closed, funnel

lake = Lake(load([f"lake.root={dbutils.widgets.get('lake_root')}"]))
check_closed(lake)
for section in [*funnel(lake), *arms_sections(lake)]:
    print(section.title)
    display(spark.createDataFrame([tuple(map(str, row)) for row in section.rows], ", ".join(f"`{c}` string" for c in section.columns)))

# COMMAND ----------

rejects = spark.read.format("delta").load(lake.uri("rejects"))
counted = rejects.where("entity = 'question'").groupBy("step", "reason", "meaning").count().orderBy("count", ascending=False)
display(counted)

# COMMAND ----------

reason = dbutils.widgets.get("reason") or counted.first()["reason"]
questions = spark.read.format("delta").load(lake.uri("questions")).select("question_id", "question", "answer_key", "answer")
read = rejects.where((rejects.entity == "question") & (rejects.reason == reason))
display(read.join(questions, read["key"] == questions["question_id"]).select("question", "answer", "detail").limit(50))
