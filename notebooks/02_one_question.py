# Databricks notebook source
# MAGIC %md
# MAGIC # 2 One question, end to end
# MAGIC
# MAGIC Runs on a classic single-user ML cluster that has the wheel (`databricks bundle deploy` puts it there; docs/databricks.md).
# MAGIC Reads the tables of a lake that has been through the pipeline: what the question links to, the paths that were shown, the chain
# MAGIC with the edges that it cites, and what checking and blind answering said of it. Without a question it takes a released one.

# COMMAND ----------

dbutils.widgets.text("lake_root", "", "Lake: cloud URI of an external location")
dbutils.widgets.text("question_id", "", "Question; empty: the first that was released")

# COMMAND ----------

from conf.lake import Lake
from conf.loading import load

lake = Lake(load([f"lake.root={dbutils.widgets.get('lake_root')}"]))
question_id = dbutils.widgets.get("question_id")
if not question_id:
    [first] = spark.read.format("delta").load(lake.uri("release")).orderBy("question_id").limit(1).collect()
    question_id = first["question_id"]
print(question_id)

# COMMAND ----------

from pyspark.sql import functions as F

of_it = F.col("question_id") == question_id
display(spark.read.format("delta").load(lake.uri("questions")).where(of_it))

# COMMAND ----------

nodes = spark.read.format("delta").load(lake.uri("nodes")).select("node_id", "name", "type")
links = spark.read.format("delta").load(lake.uri("links")).where(of_it).join(nodes, "node_id")
display(links.select("side", "option_key", "mention", "name", "type", "method", "score", "assertion").orderBy("side", "mention"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The paths that the writer was shown

# COMMAND ----------

pairs = spark.read.format("delta").load(lake.uri("cases")).where(of_it).select(F.explode("pairs").alias("pair"))
paths = pairs.select("pair.side", "pair.option_key", F.explode("pair.paths").alias("path"))
display(paths.select("side", "option_key", "path.hops", "path.cost", "path.text").orderBy("side", "cost"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The chain, and a picture of the edges it cites

# COMMAND ----------

chains = spark.read.format("delta").load(lake.uri("chains")).where(of_it & (F.col("arm") == "answer"))
[chain] = chains.orderBy("sample", "chain_id").limit(1).collect()
print(chain["reasoning"])

# COMMAND ----------

from medreason_ray.review.picture import picture

edges = spark.read.format("delta").load(lake.uri("edges")).select("edge_id", "phrase")
steps = chains.where(F.col("chain_id") == chain["chain_id"]).select(F.explode("steps").alias("step"))
cited = (
    steps.select(F.explode("step.edges").alias("edge"))
    .select("edge.edge_id", "edge.src", "edge.dst")
    .distinct()
    .join(edges, "edge_id")
    .join(nodes.select("node_id", "name").toDF("src", "from"), "src")
    .join(nodes.select("node_id", "name").toDF("dst", "to"), "dst")
    .select("from", "phrase", "to")
    .orderBy("from", "phrase", "to")
)
asked = {row["name"] for row in links.where("side = 'question'").select("name").collect()}
displayHTML(picture([tuple(row) for row in cited.collect()], starts=asked))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What checking and blind answering said

# COMMAND ----------

display(spark.read.format("delta").load(lake.uri("checks")).where(of_it))

# COMMAND ----------

verdicts = spark.read.format("delta").load(lake.uri("verdicts"))
display(verdicts.join(chains.select("chain_id"), "chain_id"))
